"""Any chat checkpoint of Llama, Mistral or Qwen."""
