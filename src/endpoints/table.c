
/* All endpoints, a line each. */

#include "endpoints/table.h"


#define TOURNAMENT_TABLE(row)                                                 \
    row(state)                                                                \
    row(states)                                                               \
    row(hub)                                                                  \
    row(detail)                                                               \
    row(participants)                                                         \
    row(count)                                                                \
    row(registration_context)                                                 \
    row(user_registrations)                                                   \
    row(platform_stats)                                                       \
    row(purge)                                                                \
    row(status)                                                               \
    row(metrics)


#define tournament_declare(name)                                              \
    extern tournament_endpoint_t  tournament_endpoint_##name;
#define tournament_point(name)  &tournament_endpoint_##name,


TOURNAMENT_TABLE(tournament_declare)


tournament_endpoint_t  *tournament_endpoints[] = {
    TOURNAMENT_TABLE(tournament_point)
    NULL
};


tournament_endpoint_t *
tournament_endpoint_find(ngx_str_t *name)
{
    tournament_endpoint_t  **ep;

    for (ep = tournament_endpoints; *ep; ep++) {

        if ((*ep)->name.len == name->len
            && ngx_strncmp((*ep)->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return *ep;
}


tournament_endpoint_t *
tournament_endpoint_numbered(ngx_uint_t number)
{
    tournament_endpoint_t  **ep;

    for (ep = tournament_endpoints; *ep; ep++) {
        if ((*ep)->number == number) {
            break;
        }
    }

    return *ep;
}


tournament_pg_statement_t **
tournament_endpoint_statements(ngx_pool_t *pool)
{
    tournament_endpoint_t       *endpoint, **ep;
    tournament_pg_statement_t  **st;

    st = ngx_pcalloc(pool, TOURNAMENT_STATEMENTS
                           * sizeof(tournament_pg_statement_t *));
    if (st == NULL) {
        return NULL;
    }

    for (ep = tournament_endpoints; *ep; ep++) {
        endpoint = *ep;

        if (endpoint->statement.sql) {
            st[tournament_endpoint_statement(endpoint)] = &endpoint->statement;
        }

        if (endpoint->order) {
            st[tournament_endpoint_statement(endpoint->order)] =
                &endpoint->order->statement;
            st[tournament_endpoint_statement(endpoint->order->viewer)] =
                &endpoint->order->viewer->statement;
        }

        if (endpoint->bulk.sql) {
            st[tournament_endpoint_bulk(endpoint)] = &endpoint->bulk;
        }

        if (endpoint->warm.sql) {
            st[tournament_endpoint_warm(endpoint)] = &endpoint->warm;
        }
    }

    return st;
}
