"""`voxterm bench`: each measurement one file; a table for people and one JSON document for machines."""
