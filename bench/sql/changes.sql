-- One change of a tournament in a transaction of its own, for pgbench: of
-- bench-FIRST to bench-LAST.
--
--     pgbench -n -M prepared -c 1 -R 200 -T 5 -D first=N -D last=N \
--             -f bench/sql/changes.sql

\set n random(:first, :last)
\set size random(8, 64)

UPDATE tournaments_tournament
   SET slot_size = :size
 WHERE slug = 'bench-' || :n;
