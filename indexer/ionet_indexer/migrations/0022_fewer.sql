-- Only an undo looks for the last part that is left of a field, and it is among the newest: the primary key, read
-- backward, finds it. Every part paid for this index.
DROP INDEX series_parts_field;
