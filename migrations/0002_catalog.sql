-- Times have three digits after the second, as a JavaScript Date has, so that row, answer and event say the same.

create table product (
  id uuid not null,
  sku text not null,
  name text not null,
  description text,
  brand text,
  category text,
  price_amount numeric(15, 4),
  price_currency text,
  attributes json not null default '{}',
  status text not null,
  version bigint not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3),
  constraint product_pkey primary key (id),
  constraint product_sku_check check (sku ~ '^[A-Za-z0-9._-]{1,64}$'),
  constraint product_name_check check (char_length(name) between 1 and 200),
  constraint product_description_check check (char_length(description) <= 4000),
  constraint product_brand_check check (char_length(brand) between 1 and 100),
  constraint product_category_check check (char_length(category) between 1 and 64),
  constraint product_price_check check ((price_amount is null) = (price_currency is null)),
  constraint product_price_amount_check check (price_amount >= 0),
  constraint product_price_currency_check check (price_currency ~ '^[A-Z]{3}$'),
  constraint product_attributes_check check (
    json_typeof(attributes) = 'object' and octet_length(attributes::text) <= 65536
  ),
  constraint product_status_check check (status in ('DRAFT', 'ACTIVE', 'DISCONTINUED')),
  constraint product_version_check check (version >= 1)
);
comment on table product is 'Products. A deleted one keeps its row and version, so that creating it again continues the count.';

-- Pages are read by id among live rows, alone or under one of the filters.
create unique index product_sku_key on product (sku) where deleted_at is null;
create index product_live_idx on product (id) where deleted_at is null;
create index product_status_idx on product (status, id) where deleted_at is null;
create index product_brand_idx on product (brand, id) where deleted_at is null;
create index product_category_idx on product (category, id) where deleted_at is null;
create index product_deleted_idx on product (deleted_at) where deleted_at is not null;

create table category (
  id uuid not null,
  code text not null,
  name text not null,
  description text,
  version bigint not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3),
  constraint category_pkey primary key (id),
  constraint category_code_check check (code ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and char_length(code) <= 64),
  constraint category_name_check check (char_length(name) between 1 and 200),
  constraint category_description_check check (char_length(description) <= 4000),
  constraint category_version_check check (version >= 1)
);
comment on table category is 'Categories. Deleted like products.';

create unique index category_code_key on category (code) where deleted_at is null;
create index category_live_idx on category (id) where deleted_at is null;
create index category_deleted_idx on category (deleted_at) where deleted_at is not null;

-- Both are written a lot and grow by updates: leave room for versions of a row on its page.
alter table product set (fillfactor = 85);
alter table category set (fillfactor = 85);

grant select, insert, update, delete on product, category to outbound_api;
