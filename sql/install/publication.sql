-- Logical decoding asks for a publication, which is empty: the messages are
-- none of its business.

SELECT CASE WHEN f.wanted THEN 'CREATE' ELSE 'DROP' END
       || ' PUBLICATION tournament_api'
  FROM (SELECT current_setting('tournament_api.feed') <> 'notify',
               EXISTS (SELECT
                         FROM pg_catalog.pg_publication p
                        WHERE p.pubname = 'tournament_api'
                          AND NOT p.puballtables
                          AND NOT EXISTS (
                              SELECT
                                FROM pg_catalog.pg_publication_tables t
                               WHERE t.pubname = p.pubname)
                          AND pg_has_role(p.pubowner, 'MEMBER'))
       ) AS f (wanted, present)
 WHERE f.wanted <> f.present
\gexec
