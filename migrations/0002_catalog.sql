-- Rows are deleted softly: the version of an entity goes on counting when it is created again under its id (DESIGN.md, "The write side").
create table product (
  id uuid primary key,
  sku text not null,
  name text not null,
  description text,
  brand text,
  category text,
  price_amount numeric(15, 4),
  price_currency text,
  -- json, not jsonb: 20-digit numbers, 1.50 and the order of keys stay as they were written
  attributes json not null default '{}',
  status text not null,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  constraint product_version_positive check (version >= 1),
  constraint product_price_whole check ((price_amount is null) = (price_currency is null)),
  constraint product_price_not_negative check (price_amount >= 0),
  constraint product_status_known check (status in ('DRAFT', 'ACTIVE', 'DISCONTINUED'))
);
create unique index product_live_sku on product (sku) where deleted_at is null;
-- Lists walk by id; each filter has an index that ends in id, so that a page never sorts.
create index product_live_status on product (status, id) where deleted_at is null;
create index product_live_brand on product (brand, id) where deleted_at is null;
create index product_live_category on product (category, id) where deleted_at is null;

create table category (
  id uuid primary key,
  code text not null,
  name text not null,
  description text,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  constraint category_version_positive check (version >= 1)
);
create unique index category_live_code on category (code) where deleted_at is null;

-- What a request with an Idempotency-Key was answered; written in the transaction of the request (Zalando rule 230).
create table idempotency_key (
  scope text not null,
  key text not null,
  request_hash text not null,
  response_status integer,
  response_headers json,
  response_body text,
  created_at timestamptz not null default now(),
  primary key (scope, key)
);
create index idempotency_key_created_at on idempotency_key (created_at);

grant select, insert, update, delete on product, category, idempotency_key to outbound_api;
