
/*
 * Errors are told apart by SQLSTATE and by other fields that no server
 * translates, never by their text.
 */

#include "pg/errors.h"


ngx_uint_t
tournament_errors_sqlstate(const PGresult *error, const char *state)
{
    char  *s;

    s = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    return s && ngx_strncmp(s, state, ngx_strlen(state)) == 0;
}


/*
 * "cached plan must not change result type" shares its SQLSTATE, 0A000, with
 * what a function may raise by itself; its place in the server's sources tells
 * it apart in any language.
 */

ngx_uint_t
tournament_errors_changed(const PGresult *error)
{
    char  *function;

    function = PQresultErrorField(error, PG_DIAG_SOURCE_FUNCTION);

    return tournament_errors_sqlstate(error, "0A000")
           && function
           && ngx_strcmp(function, "RevalidateCachedQuery") == 0;
}


/* an error without a state is libpq's own word on a lost connection */

ngx_uint_t
tournament_errors_fatal(const PGresult *error)
{
    char  *severity;

    /* the one that is not translated; poolers send the other one alone */

    severity = PQresultErrorField(error, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (severity == NULL) {
        severity = PQresultErrorField(error, PG_DIAG_SEVERITY);
    }

    return PQresultErrorField(error, PG_DIAG_SQLSTATE) == NULL
           || severity == NULL
           || ngx_strcmp(severity, "FATAL") == 0
           || ngx_strcmp(severity, "PANIC") == 0;
}


size_t
tournament_errors_line(const char *message)
{
    size_t  len;

    len = strcspn(message, "\r\n");

    return ngx_min(len, TOURNAMENT_ERRORS_LINE);
}
