-- The events of a list of ids, as a reader wants to see them.
SELECT
  event_id,
  time,
  hsm,
  operation,
  outcome,
  http_status,
  principal,
  caller_ip,
  key_name,
  -- the whole client string of a browser fills a page; the record has it
  CASE WHEN client_version IS NULL THEN coalesce(client, client_info) ELSE concat(client, ' ', client_version) END AS client
FROM events
WHERE array_contains(:event_ids, event_id)
ORDER BY
  @order
