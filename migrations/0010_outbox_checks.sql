-- What the relay cannot publish stops it for good, so it is refused where it is written: header values that are no text, a time that
-- RFC 3339 cannot say, an aggregate type of any length. Not validated here: that reads every row, while everybody waits for this lock.
alter table outbox
  add constraint outbox_aggregatetype_length_check check (octet_length(aggregatetype) <= 255) not valid,
  add constraint outbox_headers_text_check check (
    not jsonb_path_exists(headers::jsonb, 'strict $.* ? (@.type() <> "string")')
  ) not valid,
  add constraint outbox_created_at_check check (
    created_at >= timestamptz '0001-01-01 00:00:00+00' and created_at < timestamptz '10000-01-01 00:00:00+00'
  ) not valid;
