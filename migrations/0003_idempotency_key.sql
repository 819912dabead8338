create table idempotency_key (
  scope text not null,
  key text not null,
  request_hash bytea not null,
  response_status integer,
  response_body text,
  response_headers json,
  created_at timestamptz(3) not null default now(),
  constraint idempotency_key_pkey primary key (scope, key),
  constraint idempotency_key_key_check check (char_length(key) between 1 and 255),
  constraint idempotency_key_request_hash_check check (octet_length(request_hash) = 32),
  constraint idempotency_key_response_status_check check (response_status between 100 and 599)
);
comment on table idempotency_key is
  'Answers given under an Idempotency-Key, written in the transaction of the change; purged after 24 hours by created_at.';

create index idempotency_key_created_at_idx on idempotency_key (created_at);

grant select, insert, update, delete on idempotency_key to outbound_api;
