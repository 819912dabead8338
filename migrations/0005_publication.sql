-- Before any slot, and never dropped: a slot decodes with the catalog as it was, so a publication that comes later, or again, leaves a
-- gap or an error that only a new slot cures. Alter it if it must change. Inserts only: no replica identity is needed, and dropping
-- partitions is invisible. Through the root: every row carries the name `outbox`, whatever partition it is in.
create publication outbound for table outbox
  with (publish = 'insert', publish_via_partition_root = true);
