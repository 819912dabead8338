-- online: built beside the writers; after a build that broke off, migrate again.
-- Each costs a create some microseconds (docs/queries.md), and serves one order in which pages are read.
create index concurrently if not exists product_updated_idx on product (updated_at, id) where deleted_at is null;
create index concurrently if not exists product_price_idx on product (price_currency, price_amount, id) where deleted_at is null and price_amount is not null;
-- With the deleted ones: the search has to hear of them.
create index concurrently if not exists product_changed_idx on product (changed_in, id);
create index concurrently if not exists category_updated_idx on category (updated_at, id) where deleted_at is null;
create index concurrently if not exists category_changed_idx on category (changed_in, id);
