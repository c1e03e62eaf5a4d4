-- The events themselves, in order.
SELECT *
FROM events
ORDER BY
  @order
