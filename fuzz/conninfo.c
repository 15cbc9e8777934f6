
/*
 * A conninfo: it is refused with one message, or each of its targets has
 * values alone that libpq takes, and an address.  A password is in no message
 * and no target's name; it is one that has the word FUZZ_SECRET in it.  Names
 * of hosts are not found, unless they are addresses.
 */

#include <dlfcn.h>
#include <libpq-fe.h>
#include <netdb.h>

#include "stub.h"
#include "pg/conninfo.h"


#define FUZZ_SECRET  "5ecret"


static ngx_array_t *fuzz_resolve(ngx_str_t *text, ngx_uint_t primary);
static void fuzz_target(tournament_target_t *target, ngx_uint_t secret);
static ngx_uint_t fuzz_is_secret(const char *text);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char         *text;
    ngx_str_t     given;
    ngx_uint_t    i, secret;
    ngx_array_t  *targets;

    /* nobody's files */

    setenv("PGSERVICEFILE", "/nonexistent", 1);
    setenv("PGSYSCONFDIR", "/nonexistent", 1);
    setenv("PGPASSFILE", "/nonexistent", 1);
    setenv("HOME", "/nonexistent", 1);

    given.data = (u_char *) data;
    given.len = size;

    text = strndup((const char *) data, size);
    secret = fuzz_is_secret(text);
    free(text);

    targets = fuzz_resolve(&given, size % 2);

    fuzz_assert((targets == NULL) == (fuzz_said[0] != '\0'));
    fuzz_assert(!secret || strstr((char *) fuzz_said, FUZZ_SECRET) == NULL);

    for (i = 0; targets && i < targets->nelts; i++) {
        fuzz_target((tournament_target_t *) targets->elts + i, secret);
    }

    fuzz_pool_reset();

    return 0;
}


static ngx_array_t *
fuzz_resolve(ngx_str_t *text, ngx_uint_t primary)
{
    ngx_conf_t             cf;
    ngx_str_t              directive = ngx_string("tournament_database");
    ngx_array_t            args;
    ngx_cycle_t            cycle;
    ngx_core_conf_t        ccf;
    tournament_conninfo_t  conninfo;

    static void  *confs[1];

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    ngx_memzero(&cycle, sizeof(ngx_cycle_t));
    ngx_memzero(&ccf, sizeof(ngx_core_conf_t));
    ngx_memzero(&conninfo, sizeof(tournament_conninfo_t));

    confs[0] = &ccf;
    cycle.conf_ctx = (void ****) confs;

    args.elts = &directive;
    cf.args = &args;
    cf.pool = &fuzz_pool;
    cf.cycle = &cycle;

    fuzz_said[0] = '\0';

    if (tournament_conninfo_set(&cf, &conninfo, text) != NGX_CONF_OK) {
        return NULL;
    }

    fuzz_assert(fuzz_said[0] == '\0');

    return tournament_conninfo_resolve(&cf, &conninfo, 5000, primary, NULL);
}


static void
fuzz_target(tournament_target_t *target, ngx_uint_t secret)
{
    ngx_uint_t   i;
    const char  *host, *addr;

    host = NULL;
    addr = NULL;

    for (i = 0; target->keywords[i]; i++) {
        fuzz_assert(target->values[i] && *target->values[i]);
        fuzz_assert(strcmp(target->keywords[i], "service") != 0
                    && strcmp(target->keywords[i], "passfile") != 0);

        if (strcmp(target->keywords[i], "host") == 0) {
            host = target->values[i];
        }

        if (strcmp(target->keywords[i], "hostaddr") == 0) {
            addr = target->values[i];
        }
    }

    fuzz_assert(target->values[i] == NULL);
    fuzz_assert(addr || host == NULL || *host == '/' || *host == '@');
    fuzz_assert(!secret || memmem(target->name.data, target->name.len,
                                  FUZZ_SECRET, sizeof(FUZZ_SECRET) - 1)
                           == NULL);
}


/* by libpq itself; in what it cannot parse, by where the word stands */

static ngx_uint_t
fuzz_is_secret(const char *text)
{
    ngx_uint_t         hidden, shown;
    PQconninfoOption  *options, *o;

    options = PQconninfoParse(text, NULL);

    if (options == NULL) {
        return strstr(text, "password=" FUZZ_SECRET)
               || strstr(text, ":" FUZZ_SECRET "@");
    }

    hidden = 0;
    shown = 0;

    for (o = options; o->keyword; o++) {
        if (o->val && strstr(o->val, FUZZ_SECRET)) {
            hidden += (o->dispchar[0] == '*');
            shown += (o->dispchar[0] != '*');
        }
    }

    PQconninfoFree(options);

    return hidden && !shown;
}


int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    struct addrinfo  numeric;

    static int  (*real)(const char *, const char *, const struct addrinfo *,
                        struct addrinfo **);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    }

    numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;

    return real(node, service, &numeric, res);
}
