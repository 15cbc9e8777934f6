-- Runs commands that lock a table, in a transaction of their own.  They wait
-- for every transaction that has used the table, and whoever wants to use it
-- waits behind them: so they give up soon, let others pass and try again.

CREATE OR REPLACE PROCEDURE pg_temp.tournament_api_locked(
    p_rel regclass, p_command text)
LANGUAGE plpgsql AS $$
DECLARE
    done    boolean;
    holders text;
BEGIN
    FOR try IN 1 .. 600 LOOP
        BEGIN
            SET LOCAL lock_timeout = '200ms';
            EXECUTE p_command;
            done := true;
        EXCEPTION WHEN lock_not_available THEN
            done := false;
        END;

        COMMIT;

        IF done THEN
            RETURN;
        END IF;

        IF try = 1 THEN
            SELECT string_agg(DISTINCT l.pid::text, ', ')
              INTO holders
              FROM pg_catalog.pg_locks l
             WHERE l.relation = p_rel AND l.granted;

            RAISE WARNING 'waiting for transactions that use table %', p_rel
                  USING DETAIL = 'Processes: ' || coalesce(holders, 'none now');
        END IF;

        PERFORM pg_sleep(0.8);
    END LOOP;

    RAISE EXCEPTION 'table % has been in use for ten minutes', p_rel
          USING HINT = 'End the transaction that holds it, or wait for it, '
                       'and run this again.';
END
$$;
