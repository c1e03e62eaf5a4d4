-- control: an act that changes, exports or destroys in every reading of it, or an unknown one with a status that no read returns
CASE
  WHEN coalesce(effect, 'unknown') NOT IN ('read', 'use', 'unknown') AND effect NOT LIKE '%|read' AND effect NOT LIKE '%|use' THEN 1
  WHEN operation_class = 'access_control' AND http_status = 201 THEN 1
  WHEN coalesce(effect, 'unknown') = 'unknown' AND http_status IN (201, 202, 204) THEN 1
  ELSE 0
END AS control
