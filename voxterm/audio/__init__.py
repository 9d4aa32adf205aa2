"""Sound in and out: devices and files behind one pair of protocols."""
