-- One registration in a transaction of its own, as the site makes them: what
-- the triggers cost whoever writes.
--
--     pgbench -n -M prepared -c 8 -j 2 -T 5 -D tournaments=N -D users=N \
--             -f bench/sql/registrations.sql
--
-- Ids of tournaments and profiles are expected to be 1 to N.  Choose them so
-- that a pair rarely comes twice, and begin each round with an empty table
-- (TRUNCATE): pairs that are there already insert nothing, and cost little.

\set tournament random(1, :tournaments)
\set user random(1, :users)

INSERT INTO tournaments_registration
            (tournament_id, user_id, payment_method, payment_sender,
             payment_reference, payment_status, status, created_at)
     VALUES (:tournament, :user, 'bkash', '', '', 'pending', 'PENDING', now())
ON CONFLICT DO NOTHING;
