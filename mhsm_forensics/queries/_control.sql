-- control: an operation that changes, exports or destroys, or an unknown one with a status that no read returns
CASE
  WHEN effect IN ('change', 'export', 'destroy') THEN 1
  WHEN operation_class = 'access_control' AND http_status = 201 THEN 1
  WHEN coalesce(effect, 'unknown') = 'unknown' AND http_status IN (201, 202, 204) THEN 1
  ELSE 0
END AS control
