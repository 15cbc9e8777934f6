-- The functions of the triggers
--
-- A row that changes what an answer shows is announced in the writer's own
-- transaction: heard of once that commits, and never if it does not.  What is
-- said are tokens, separated by spaces:
--
--     t<id>   a tournament: its row, its settings, its schedule
--     r<id>   the registrations of a tournament
--     p<id>   a profile: itself, its registrations, memberships, requests
--     p0      accounts: a profile is new, or has another account
--     m<id>   a team: itself, its registrations, its memberships
--     *       everything: a TRUNCATE, or more than can be told
--
-- Ids only: whoever may connect may listen.  How it is said is chosen by
-- -v feed=:
--
--     notify   a notification in channel tournament_changes, whose payload is
--              the tokens.  Needs nothing of the server, but PostgreSQL holds
--              a lock while a transaction that notifies is flushed, so that
--              such commits come one after the other.  After 300 rows of a
--              transaction it is "*", once.
--     logical  a message in the write-ahead log, which logical decoding finds
--              (wal_level = logical).  Prefix tournament_api, transactional;
--              the text is the tokens.  However many there are: the reader
--              has to bound them.
--     both     each of them, for a change-over without a gap
--
-- The first installation has notify, later ones what the one before had.
--
-- These functions run for every row that the application writes, and are made
-- of little for that reason.  They are row triggers: transition tables cost
-- more, and spill to disk with many rows (temp_file_limit).  They have the
-- rights and the search_path of whoever writes, so that nothing can be done
-- with them that he could not do himself; a search_path of their own would
-- cost as much as all the rest.  So every name says its schema, operators too.
-- Values are compared byte by byte (*<>): no collation hides a change, no type
-- lacks the operator.
--
-- A trigger must not fail the application's write.  An error becomes a WARNING
-- and "*", say where a migration has dropped or renamed a column, until
-- install.sql is run again.  (The subtransaction for that has no id, since the
-- message is written outside of it: many ids would slow down everybody.)  A
-- full queue of notifications fails COMMIT, where nothing can catch it:
-- nothing is sent into one that is nearly full.  By default that takes 8 GB of
-- them, and a listener that has stopped reading.
--
-- What goes unnoticed: writes while triggers are disabled, and rows of
-- partitions that are attached or detached.  A transaction that has notified
-- cannot be prepared (PREPARE TRANSACTION).

-- How a payload is announced, for each feed.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_announcement(p_feed text)
RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN p_feed IN ('notify', 'both') THEN $sql$
    BEGIN
        -- A mark for each row that this transaction has announced

        marks := pg_catalog.concat(
            pg_catalog.current_setting('tournament_api.marks', true), '.');

        IF pg_catalog.length(marks) OPERATOR(pg_catalog.<=) 301 THEN
            marks := pg_catalog.set_config('tournament_api.marks', marks,
                                           true);

            IF pg_catalog.pg_notification_queue_usage()
               OPERATOR(pg_catalog.>) 0.9
            THEN
                RAISE WARNING 'tournament_api: the notification queue is '
                              'nearly full, a change in %.% is not announced',
                              TG_TABLE_SCHEMA, TG_TABLE_NAME;

            ELSIF pg_catalog.length(marks) OPERATOR(pg_catalog.=) 301 THEN
                PERFORM pg_catalog.pg_notify('tournament_changes', '*');

            ELSE
                PERFORM pg_catalog.pg_notify('tournament_changes', payload);
            END IF;
        END IF;

    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'tournament_api: a change in %.% is not announced: %',
                      TG_TABLE_SCHEMA, TG_TABLE_NAME, SQLERRM;
    END;
$sql$ ELSE '' END

    -- 3577 is pg_logical_emit_message(boolean, text, text), in any version

           || CASE WHEN p_feed IN ('logical', 'both') THEN $sql$
    IF pg_catalog.has_function_privilege(3577::pg_catalog.oid, 'EXECUTE') THEN
        lsn := pg_catalog.pg_logical_emit_message(true, 'tournament_api',
                                                  payload);
    ELSE
        RAISE WARNING 'tournament_api: a change in %.% is not announced: '
                      'permission denied for function '
                      'pg_logical_emit_message', TG_TABLE_SCHEMA,
                      TG_TABLE_NAME;
    END IF;
$sql$ ELSE '' END
$$;

-- Makes a function of triggers, with what is to be announced.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_define_trigger(
    p_fname text, p_payload text)
RETURNS void
LANGUAGE sql AS $$
    SELECT pg_temp.tournament_api_define(p_fname || '()', format($sql$
CREATE OR REPLACE FUNCTION tournament_api.%I()
RETURNS trigger
LANGUAGE plpgsql
AS $body$
DECLARE
    payload  pg_catalog.text;
    marks    pg_catalog.text;
    lsn      pg_catalog.pg_lsn;
BEGIN
%s
    IF payload IS NULL THEN
        RETURN NULL;
    END IF;
%s
    RETURN NULL;
END
$body$
$sql$, p_fname, p_payload, pg_temp.tournament_api_announcement(
           current_setting('tournament_api.feed'))))
$$;

-- The expression for a token, of row OLD or NEW, and for a payload of some.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_token(
    p_kind text, p_row text, p_column text)
RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN p_kind = '0' THEN '''p0'''
                ELSE format('''%s'' OPERATOR(pg_catalog.||) '
                            '%s.%I::pg_catalog.text', p_kind, p_row, p_column)
           END
$$;

CREATE OR REPLACE FUNCTION pg_temp.tournament_api_payload(p_tokens text[])
RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN cardinality(p_tokens) = 1 THEN p_tokens[1]
                ELSE format(E'pg_catalog.concat_ws('' '',\n                %s)',
                            array_to_string(p_tokens, E',\n                '))
           END
$$;

SELECT pg_temp.tournament_api_define_trigger('announce_truncate',
                                             '    payload := ''*'';');

-- One for each table.  A token is the text of an id, null where there is none;
-- of an update that of both rows, if they differ.
--
-- Nearly all that a trigger costs is that PostgreSQL prepares each expression
-- anew in each transaction: 2,500 instructions, and as many for each column of
-- a row that is compared.  So one column that most updates change is looked at
-- before all the others, by an operator of its type's: where that says no, or
-- knows none, all are compared.
WITH tables AS (
    SELECT f.fname, f.tokens,
           max(format('OLD.%1$I OPERATOR(pg_catalog.<>) NEW.%1$I', f.often))
           FILTER (WHERE a.attname = f.often AND a.atttypid = ANY (
                             '{int2, int4, int8, bool, text, varchar,
                               timestamptz}'::regtype[])) AS often,
           string_agg(format('OLD.%I', a.attname), ', ' ORDER BY a.attnum)
           AS old,
           string_agg(format('NEW.%I', a.attname), ', ' ORDER BY a.attnum)
           AS new
      FROM pg_temp.tournament_api_feed() f
      JOIN pg_temp.tournament_api_tables() t ON t.name = f.tab
      JOIN pg_catalog.pg_class c ON c.oid = t.rel
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.rel
     WHERE c.relkind IN ('r', 'p')
       AND a.attname = ANY (string_to_array(f.shown, ' '))
       AND NOT a.attisdropped
     GROUP BY f.fname, f.tokens
), tokens AS (
    SELECT t.fname, t.often, t.old, t.new, w.n, k.kind, k.col,
           pg_temp.tournament_api_token(k.kind, 'NEW', k.col) AS inserted,
           pg_temp.tournament_api_token(k.kind, 'OLD', k.col) AS deleted,
           format('CASE WHEN ROW(OLD.%1$I)::pg_catalog.record '
                  'OPERATOR(pg_catalog.*<>) ROW(NEW.%1$I)::pg_catalog.record '
                  'THEN ', k.col) AS if_other
      FROM tables t
     CROSS JOIN LATERAL unnest(string_to_array(t.tokens, ', '))
                        WITH ORDINALITY AS w (words, n)
     CROSS JOIN LATERAL (
               SELECT split_part(w.words, ' ', 1), split_part(w.words, ' ', 2)
           ) AS k (kind, col)
)
SELECT pg_temp.tournament_api_define_trigger(t.fname, format($sql$
    BEGIN
        IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            payload := %1$s;

        ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN

            IF %2$s THEN
                NULL;

            ELSIF ROW(%3$s)::pg_catalog.record
                  OPERATOR(pg_catalog.*=)
                  ROW(%4$s)::pg_catalog.record
            THEN
                RETURN NULL;
            END IF;

            payload := %5$s;

            IF ROW(%6$s)::pg_catalog.record
               OPERATOR(pg_catalog.*<>)
               ROW(%7$s)::pg_catalog.record
            THEN
                payload := pg_catalog.concat_ws(' ', payload,
                %8$s);
            END IF;

        ELSE
            payload := %9$s;
        END IF;

    EXCEPTION WHEN OTHERS THEN
        payload := '*';
        RAISE WARNING 'tournament_api: a change in %%.%% is announced as a '
                      'change of everything: %%', TG_TABLE_SCHEMA,
                      TG_TABLE_NAME, SQLERRM
              USING HINT = 'Run install.sql again.';
    END;
$sql$,
           pg_temp.tournament_api_payload(array_agg(t.inserted ORDER BY t.n)),
           coalesce(t.often, 'false'), t.old, t.new,
           pg_temp.tournament_api_payload(array_agg(t.inserted ORDER BY t.n)
                                          FILTER (WHERE t.kind <> '0')),
           string_agg(format('OLD.%I', t.col), ', ' ORDER BY t.n),
           string_agg(format('NEW.%I', t.col), ', ' ORDER BY t.n),
           string_agg(t.if_other || t.deleted || ' END',
                      E',\n                ' ORDER BY t.n),
           pg_temp.tournament_api_payload(array_agg(t.deleted ORDER BY t.n)
                                          FILTER (WHERE t.kind <> '0'))))
  FROM tokens t
 GROUP BY t.fname, t.often, t.old, t.new;
