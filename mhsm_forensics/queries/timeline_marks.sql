-- Events from :start up to and without :end that are no control acts, one by one, of the lanes :lanes.
SELECT t, lane, kind, state
FROM points
WHERE t >= :start AND t < :end AND control = 0 AND array_contains(:lanes, lane)
ORDER BY t, lane, kind, state
