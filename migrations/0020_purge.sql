-- When the data of a deleted entity was dropped. Its id and version stay: they are the count that goes on when it is created again.
alter table product add column purged_at timestamptz(3);
alter table category add column purged_at timestamptz(3);
comment on column product.purged_at is 'When the data was dropped; what the row says since then, but for id, version and times, is a placeholder.';
comment on column category.purged_at is 'When the data was dropped; what the row says since then, but for id, version and times, is a placeholder.';

-- In the place of those over all deleted rows, which nothing read: what was purged would be walked over for ever.
create index product_to_purge_idx on product (deleted_at) where deleted_at is not null and purged_at is null;
create index category_to_purge_idx on category (deleted_at) where deleted_at is not null and purged_at is null;
drop index product_deleted_idx;
drop index category_deleted_idx;
