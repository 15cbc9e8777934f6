
/*
 * A conninfo is resolved once, as root reads the configuration, by letting
 * libpq itself find all that it would look up and stopping it just before it
 * connects.  Each address of each host becomes a target; what becomes of the
 * options that were found is a table.
 */

#include <libpq-fe.h>
#include <netdb.h>
#include <pwd.h>

#include "pg/conninfo.h"
#include "rules/hash.h"


/*
 * libpq looks up all that it needs and checks it before it connects, in an
 * order in which the password file comes before these options: a value that no
 * libpq knows makes it stop there, with everything looked up.  What is looked
 * up for one of them is found by stopping at the other one.
 */

#define TOURNAMENT_STOP_KEYWORD  "gssencmode"
#define TOURNAMENT_STOP_LATER    "target_session_attrs"
#define TOURNAMENT_STOP_VALUE    "stop"

#define TOURNAMENT_MAX_OPTIONS   64


typedef struct {
    ngx_conf_t                *cf;
    ngx_str_t                 *directive;
    char                      *conninfo;       /* NUL-terminated */
    ngx_msec_t                 statement_timeout;
    ngx_uint_t                 primary;
    PQconninfoOption          *given;          /* in the conninfo itself */
    PQconninfoOption          *found;          /* with all defaults */
    const char                *gssencmode;     /* not among found */
    const char                *session_attrs;  /* NULL: as found */
    ngx_array_t               *targets;

    char                      *host;           /* of the target that is */
    char                      *hostaddr;       /* being made */
    char                      *port;
} tournament_conninfo_ctx_t;


/* one of the three says what the value is; a field that is NULL: as found */

typedef struct {
    const char                *keyword;
    char                    *(*value)(tournament_conninfo_ctx_t *ctx,
                                   char *found);
    const char                *otherwise;      /* where none was found */
    size_t                     field;          /* of ctx */
} tournament_conninfo_rule_t;


static ngx_int_t tournament_conninfo_parse(tournament_conninfo_ctx_t *ctx,
    ngx_str_t *conninfo);
static void tournament_conninfo_error(tournament_conninfo_ctx_t *ctx,
    char *err);
static ngx_int_t tournament_conninfo_find(tournament_conninfo_ctx_t *ctx);
static PQconninfoOption *tournament_conninfo_found(
    tournament_conninfo_ctx_t *ctx, const char *keyword);
static PGconn *tournament_conninfo_stop(tournament_conninfo_ctx_t *ctx,
    const char *keyword, const char *user);
static ngx_int_t tournament_conninfo_targets(tournament_conninfo_ctx_t *ctx);
static ngx_int_t tournament_conninfo_hosts(tournament_conninfo_ctx_t *ctx);
static void tournament_conninfo_list(tournament_conninfo_ctx_t *ctx,
    const char *keyword, ngx_str_t *list);
static ngx_int_t tournament_conninfo_numbers(tournament_conninfo_ctx_t *ctx,
    ngx_str_t *hostaddr, ngx_str_t *port);
static ngx_int_t tournament_conninfo_host(tournament_conninfo_ctx_t *ctx,
    ngx_str_t *host, ngx_str_t *hostaddr, ngx_str_t *port);
static ngx_int_t tournament_conninfo_target(tournament_conninfo_ctx_t *ctx,
    ngx_str_t *host, ngx_str_t *hostaddr, ngx_str_t *port);
static ngx_int_t tournament_conninfo_name(tournament_conninfo_ctx_t *ctx,
    tournament_target_t *target, ngx_str_t *host, ngx_str_t *port);
static char *tournament_conninfo_rule(tournament_conninfo_ctx_t *ctx,
    PQconninfoOption *option);
static char *tournament_conninfo_read(tournament_conninfo_ctx_t *ctx,
    char *value);
static char *tournament_conninfo_dbname(tournament_conninfo_ctx_t *ctx,
    char *value);
static char *tournament_conninfo_password(tournament_conninfo_ctx_t *ctx,
    char *value);
static char *tournament_conninfo_user(tournament_conninfo_ctx_t *ctx,
    char *value);
static char *tournament_conninfo_options(tournament_conninfo_ctx_t *ctx,
    char *options);
static char *tournament_conninfo_value(PQconninfoOption *options,
    const char *keyword);
static ngx_uint_t tournament_conninfo_next(ngx_str_t *list, ngx_str_t *item);
static char *tournament_conninfo_str(ngx_conf_t *cf, ngx_str_t *str);
static char *tournament_conninfo_copy(tournament_conninfo_ctx_t *ctx,
    const char *text);


/*
 * What becomes of an option that libpq has found.  The kernel's defaults of
 * keepalives take hours to miss a server that has gone without a word; these
 * take a minute.
 */

static const tournament_conninfo_rule_t  tournament_conninfo_rules[] = {

    { "host", NULL, NULL, offsetof(tournament_conninfo_ctx_t, host) },
    { "hostaddr", NULL, NULL, offsetof(tournament_conninfo_ctx_t, hostaddr) },
    { "port", NULL, NULL, offsetof(tournament_conninfo_ctx_t, port) },

    { "gssencmode", NULL, NULL,
      offsetof(tournament_conninfo_ctx_t, gssencmode) },
    { "target_session_attrs", NULL, NULL,
      offsetof(tournament_conninfo_ctx_t, session_attrs) },

    { "dbname", tournament_conninfo_dbname, NULL, 0 },
    { "options", tournament_conninfo_options, NULL, 0 },
    { "passfile", tournament_conninfo_read, NULL, 0 },
    { "password", tournament_conninfo_password, NULL, 0 },
    { "service", tournament_conninfo_read, NULL, 0 },
    { "user", tournament_conninfo_user, NULL, 0 },

    { "client_encoding", NULL, "UTF8", 0 },
    { "fallback_application_name", NULL, "ngx_http_tournament_module", 0 },
    { "keepalives_count", NULL, "3", 0 },
    { "keepalives_idle", NULL, "30", 0 },
    { "keepalives_interval", NULL, "10", 0 },

    { NULL, NULL, NULL, 0 }
};


char *
tournament_conninfo_set(ngx_conf_t *cf, tournament_conninfo_t *conninfo,
    ngx_str_t *text)
{
    ngx_str_t                  *args;
    tournament_conninfo_ctx_t   ctx;

    args = cf->args->elts;

    conninfo->text = *text;
    conninfo->directive = args[0];

    if (cf->conf_file) {
        conninfo->place = *cf->conf_file;
    }

    ngx_memzero(&ctx, sizeof(tournament_conninfo_ctx_t));

    ctx.cf = cf;
    ctx.directive = &conninfo->directive;

    if (tournament_conninfo_parse(&ctx, text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    PQconninfoFree(ctx.given);

    return NGX_CONF_OK;
}


ngx_array_t *
tournament_conninfo_resolve(ngx_conf_t *cf, tournament_conninfo_t *conninfo,
    ngx_msec_t statement_timeout, ngx_uint_t primary, uint64_t *identity)
{
    char                       *value;
    u_char                      key[16];
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_conf_file_t            *here;
    tournament_conninfo_ctx_t   ctx;

    static const char  *names[] = {
        "host", "hostaddr", "port", "dbname", "user", NULL
    };

    ngx_memzero(&ctx, sizeof(tournament_conninfo_ctx_t));

    ctx.cf = cf;
    ctx.directive = &conninfo->directive;
    ctx.statement_timeout = statement_timeout;
    ctx.primary = primary;

    ctx.targets = ngx_array_create(cf->pool, 2, sizeof(tournament_target_t));
    if (ctx.targets == NULL) {
        return NULL;
    }

    /* messages name the line of the directive, not the one being read now */

    here = cf->conf_file;
    cf->conf_file = &conninfo->place;

    rc = tournament_conninfo_parse(&ctx, &conninfo->text);

    if (rc == NGX_OK) {
        rc = tournament_conninfo_find(&ctx);
    }

    if (rc == NGX_OK) {
        rc = tournament_conninfo_targets(&ctx);
    }

    cf->conf_file = here;

    if (rc == NGX_OK && identity) {
        ngx_memzero(key, sizeof(key));

        for (i = 0; names[i]; i++) {
            value = tournament_conninfo_value(ctx.found, names[i]);
            key[15] = (u_char) i;
            *identity = tournament_hash(key, value ? value : "",
                                        value ? ngx_strlen(value) : 0);
            ngx_memcpy(key, identity, sizeof(uint64_t));
        }
    }

    PQconninfoFree(ctx.given);
    PQconninfoFree(ctx.found);

    return rc == NGX_OK ? ctx.targets : NULL;
}


static ngx_int_t
tournament_conninfo_parse(tournament_conninfo_ctx_t *ctx, ngx_str_t *conninfo)
{
    char  *err;

    ctx->conninfo = tournament_conninfo_str(ctx->cf, conninfo);
    if (ctx->conninfo == NULL) {
        return NGX_ERROR;
    }

    err = NULL;

    if (ngx_strlen(ctx->conninfo) == conninfo->len) {
        ctx->given = PQconninfoParse(ctx->conninfo, &err);
    }

    if (ctx->given == NULL) {
        tournament_conninfo_error(ctx, err);

        if (err) {
            PQfreemem(err);
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * libpq's messages repeat parts of the string: they are shown only where it
 * can hold no password.  A word without "=" may be one that stands alone.
 */

static void
tournament_conninfo_error(tournament_conninfo_ctx_t *ctx, char *err)
{
    size_t       len;
    const char  *text;

    len = err ? ngx_strlen(err) : 0;

    while (len && (err[len - 1] == LF || err[len - 1] == CR)) {
        len--;
    }

    text = ctx->conninfo;

    if (len == 0
        || ngx_strstr(text, "pass") || ngx_strstr(text, "://")
        || ngx_strstr(text, "@") || ngx_strstr(err, "missing \"=\""))
    {
        err = "it cannot be parsed";
        len = ngx_strlen(err);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                       "invalid value in \"%V\" directive: %*s; a libpq "
                       "connection string is expected, \"host=... "
                       "dbname=... user=...\" or \"postgresql://...\"",
                       ctx->directive, len, err);
}


static ngx_int_t
tournament_conninfo_find(tournament_conninfo_ctx_t *ctx)
{
    char              *value;
    PQconninfoOption  *later;

    ctx->found = tournament_conninfo_found(ctx, TOURNAMENT_STOP_KEYWORD);
    if (ctx->found == NULL) {
        return NGX_ERROR;
    }

    /* "prefer" is the default; what was set otherwise stays */

    ctx->gssencmode = "disable";

    later = tournament_conninfo_found(ctx, TOURNAMENT_STOP_LATER);
    if (later == NULL) {
        return NGX_ERROR;
    }

    value = tournament_conninfo_value(later, "gssencmode");

    if (value && (ngx_strcmp(value, "prefer") != 0
                  || tournament_conninfo_value(ctx->given,
                                               "gssencmode")))
    {
        ctx->gssencmode = tournament_conninfo_copy(ctx, value);
    }

    PQconninfoFree(later);

    return ctx->gssencmode ? NGX_OK : NGX_ERROR;
}


/* all options, as libpq has found them when it stops at that one */

static PQconninfoOption *
tournament_conninfo_found(tournament_conninfo_ctx_t *ctx, const char *keyword)
{
    PGconn            *pg;
    PQconninfoOption  *found;

    pg = tournament_conninfo_stop(ctx, keyword, NULL);
    if (pg == NULL) {
        return NULL;
    }

    found = PQconninfo(pg);

    if (found == NULL || ngx_strstr(PQerrorMessage(pg), keyword) == NULL) {

        /* it stopped before: a service that is not defined, a bad sslmode */

        tournament_conninfo_error(ctx, PQerrorMessage(pg));

        PQconninfoFree(found);
        found = NULL;
    }

    PQfinish(pg);

    return found;
}


/*
 * A connection that libpq has begun, to the target that is being made, if any,
 * and has stopped at that option; NULL is no user of its own.
 */

static PGconn *
tournament_conninfo_stop(tournament_conninfo_ctx_t *ctx, const char *keyword,
    const char *user)
{
    const char  *keywords[7], *values[7];

    keywords[0] = "dbname";
    values[0] = ctx->conninfo;
    keywords[1] = "host";
    values[1] = ctx->host;
    keywords[2] = "hostaddr";
    values[2] = ctx->hostaddr;
    keywords[3] = "port";
    values[3] = ctx->port;
    keywords[4] = "user";
    values[4] = user;
    keywords[5] = keyword;
    values[5] = TOURNAMENT_STOP_VALUE;
    keywords[6] = NULL;
    values[6] = NULL;

    return PQconnectStartParams(keywords, values, 1);
}


/*
 * One address is tried at a time, and libpq's "prefer-standby" would be content
 * with the first: all are tried for a standby, and then for any server.
 */

static ngx_int_t
tournament_conninfo_targets(tournament_conninfo_ctx_t *ctx)
{
    char        *attrs;
    ngx_int_t    rc;
    ngx_uint_t   i;

    static const char  *known[] = {
        "any", "read-write", "read-only", "primary", "standby",
        "prefer-standby", NULL
    };

    attrs = tournament_conninfo_value(ctx->found, "target_session_attrs");

    /* libpq would look at it after the option that it has stopped at */

    for (i = 0; attrs && known[i]; i++) {
        if (ngx_strcmp(attrs, known[i]) == 0) {
            break;
        }
    }

    if (attrs && known[i] == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                           "invalid target_session_attrs \"%s\" in \"%V\" "
                           "directive, it must be \"any\", \"read-write\", "
                           "\"read-only\", \"primary\", \"standby\" or "
                           "\"prefer-standby\"", attrs, ctx->directive);
        return NGX_ERROR;
    }

    if (attrs == NULL || ngx_strstr(attrs, "standby") == NULL) {
        return tournament_conninfo_hosts(ctx);
    }

    if (ctx->primary) {
        ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                           "\"target_session_attrs=%s\" in \"%V\" directive "
                           "asks for a standby, where changes are not heard "
                           "of: use \"primary\", or set "
                           "\"tournament_listen off\"",
                           attrs, ctx->directive);
        return NGX_ERROR;
    }

    if (ngx_strcmp(attrs, "standby") == 0) {
        return tournament_conninfo_hosts(ctx);
    }

    ctx->session_attrs = "standby";
    rc = tournament_conninfo_hosts(ctx);

    if (rc == NGX_OK) {
        ctx->session_attrs = "any";
        rc = tournament_conninfo_hosts(ctx);
    }

    return rc;
}


/* host, hostaddr and port are lists; a single port serves all hosts */

static ngx_int_t
tournament_conninfo_hosts(tournament_conninfo_ctx_t *ctx)
{
    ngx_str_t   hosts, addrs, ports, host, addr, port;
    ngx_uint_t  more;

    tournament_conninfo_list(ctx, "host", &hosts);
    tournament_conninfo_list(ctx, "hostaddr", &addrs);
    tournament_conninfo_list(ctx, "port", &ports);

    ngx_str_null(&port);

    do {
        more = tournament_conninfo_next(&hosts, &host);
        more |= tournament_conninfo_next(&addrs, &addr);

        if (ports.data) {
            (void) tournament_conninfo_next(&ports, &port);
        }

        if (tournament_conninfo_numbers(ctx, &addr, &port) != NGX_OK
            || tournament_conninfo_host(ctx, &host, &addr, &port)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

    } while (more);

    return NGX_OK;
}


/* NULL data: libpq has found none */

static void
tournament_conninfo_list(tournament_conninfo_ctx_t *ctx, const char *keyword,
    ngx_str_t *list)
{
    char  *value;

    value = tournament_conninfo_value(ctx->found, keyword);

    list->data = (u_char *) value;
    list->len = value ? ngx_strlen(value) : 0;
}


/* what libpq would find wrong only as it connects */

static ngx_int_t
tournament_conninfo_numbers(tournament_conninfo_ctx_t *ctx,
    ngx_str_t *hostaddr, ngx_str_t *port)
{
    char             *addr;
    ngx_int_t         n;
    struct addrinfo   hints, *res;

    if (port->len) {
        n = ngx_atoi(port->data, port->len);

        if (n < 1 || n > 65535) {
            ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                               "invalid port \"%V\" in \"%V\" directive, a "
                               "number from 1 to 65535 is expected", port,
                               ctx->directive);
            return NGX_ERROR;
        }
    }

    if (hostaddr->len == 0) {
        return NGX_OK;
    }

    addr = tournament_conninfo_str(ctx->cf, hostaddr);
    if (addr == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_flags = AI_NUMERICHOST;

    if (getaddrinfo(addr, NULL, &hints, &res) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                           "invalid hostaddr \"%V\" in \"%V\" directive, an "
                           "IP address is expected", hostaddr,
                           ctx->directive);
        return NGX_ERROR;
    }

    freeaddrinfo(res);

    return NGX_OK;
}


static ngx_int_t
tournament_conninfo_host(tournament_conninfo_ctx_t *ctx, ngx_str_t *host,
    ngx_str_t *hostaddr, ngx_str_t *port)
{
    int               rc;
    char             *name;
    u_char            text[NI_MAXHOST];
    ngx_int_t         result;
    ngx_str_t         addr;
    struct addrinfo   hints, *res, *ai;

    if (hostaddr->len || host->len == 0
        || host->data[0] == '/' || host->data[0] == '@')
    {
        return tournament_conninfo_target(ctx, host, hostaddr, port);
    }

    name = tournament_conninfo_str(ctx->cf, host);
    if (name == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(name, NULL, &hints, &res);

    if (rc != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                           "host not found in \"%V\" directive: \"%s\" (%s)",
                           ctx->directive, name, gai_strerror(rc));
        return NGX_ERROR;
    }

    result = NGX_OK;

    for (ai = res; ai && result == NGX_OK; ai = ai->ai_next) {

        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, (char *) text,
                        sizeof(text), NULL, 0, NI_NUMERICHOST)
            != 0)
        {
            continue;
        }

        addr.data = text;
        addr.len = ngx_strlen(text);

        result = tournament_conninfo_target(ctx, host, &addr, port);
    }

    freeaddrinfo(res);

    return result;
}


static ngx_int_t
tournament_conninfo_target(tournament_conninfo_ctx_t *ctx, ngx_str_t *host,
    ngx_str_t *hostaddr, ngx_str_t *port)
{
    char                 *value;
    ngx_uint_t            n;
    PQconninfoOption     *o;
    tournament_target_t  *target;

    target = ngx_array_push(ctx->targets);
    if (target == NULL) {
        return NGX_ERROR;
    }

    target->keywords = ngx_pcalloc(ctx->cf->pool, TOURNAMENT_MAX_OPTIONS
                                                  * 2 * sizeof(char *));
    if (target->keywords == NULL) {
        return NGX_ERROR;
    }

    target->values = target->keywords + TOURNAMENT_MAX_OPTIONS;

    ctx->host = tournament_conninfo_str(ctx->cf, host);
    ctx->hostaddr = tournament_conninfo_str(ctx->cf, hostaddr);
    ctx->port = tournament_conninfo_str(ctx->cf, port);

    if (ctx->host == NULL || ctx->hostaddr == NULL || ctx->port == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    for (o = ctx->found; o->keyword && n < TOURNAMENT_MAX_OPTIONS - 1; o++) {

        value = tournament_conninfo_rule(ctx, o);

        if (value == NULL || *value == '\0') {
            continue;
        }

        target->values[n] = tournament_conninfo_copy(ctx, value);
        target->keywords[n] = tournament_conninfo_copy(ctx, o->keyword);

        if (target->values[n] == NULL || target->keywords[n] == NULL) {
            return NGX_ERROR;
        }

        n++;
    }

    return tournament_conninfo_name(ctx, target, host->len ? host : hostaddr,
                                    port);
}


/* as messages name it */

static ngx_int_t
tournament_conninfo_name(tournament_conninfo_ctx_t *ctx,
    tournament_target_t *target, ngx_str_t *host, ngx_str_t *port)
{
    static ngx_str_t  unnamed = ngx_string("the default socket");

    if (host->len == 0) {
        host = &unnamed;
    }

    target->name.len = host->len + 1 + port->len;
    target->name.data = ngx_pnalloc(ctx->cf->pool, target->name.len);
    if (target->name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(target->name.data, "%V:%V", host, port);

    return NGX_OK;
}


/* an option's value by its keyword's rule; NULL: the option is left out */

static char *
tournament_conninfo_rule(tournament_conninfo_ctx_t *ctx,
    PQconninfoOption *option)
{
    char                              *value;
    const tournament_conninfo_rule_t  *rule;

    for (rule = tournament_conninfo_rules; rule->keyword; rule++) {
        if (ngx_strcmp(rule->keyword, option->keyword) == 0) {
            break;
        }
    }

    if (rule->keyword == NULL) {
        return option->val;
    }

    if (rule->value) {
        return rule->value(ctx, option->val);
    }

    if (rule->otherwise) {
        return option->val ? option->val : (char *) rule->otherwise;
    }

    value = *(char **) ((u_char *) ctx + rule->field);

    return value ? value : option->val;
}


/* what names a file that has been read by now */

static char *
tournament_conninfo_read(tournament_conninfo_ctx_t *ctx, char *value)
{
    return NULL;
}


/* libpq's default is the user's name */

static char *
tournament_conninfo_dbname(tournament_conninfo_ctx_t *ctx, char *value)
{
    if (tournament_conninfo_value(ctx->given, "dbname")
        || getenv("PGDATABASE")
        || tournament_conninfo_value(ctx->given, "service")
        || getenv("PGSERVICE"))
    {
        return value;
    }

    return tournament_conninfo_user(ctx, value);
}


/*
 * A host's password in the password file, which root can read and a worker
 * cannot.  libpq finds it; the conninfo has none.  NULL: none.
 */

static char *
tournament_conninfo_password(tournament_conninfo_ctx_t *ctx, char *value)
{
    char    *password;
    PGconn  *pg;

    if (value && *value) {
        return value;
    }

    pg = tournament_conninfo_stop(ctx, TOURNAMENT_STOP_KEYWORD,
                                  tournament_conninfo_user(ctx, NULL));
    if (pg == NULL) {
        return NULL;
    }

    password = PQpass(pg);

    if (password) {
        password = tournament_conninfo_copy(ctx, password);
    }

    PQfinish(pg);

    return password;
}


/*
 * libpq's default is the name of the operating system's user that connects:
 * that is the worker's, not the one that reads the configuration.
 */

static char *
tournament_conninfo_user(tournament_conninfo_ctx_t *ctx, char *value)
{
    char             *user;
    struct passwd    *pw;
    ngx_core_conf_t  *ccf;

    user = tournament_conninfo_value(ctx->found, "user");
    pw = getpwuid(geteuid());

    if (geteuid() != 0 || user == NULL || pw == NULL
        || ngx_strcmp(user, pw->pw_name) != 0
        || tournament_conninfo_value(ctx->given, "user")
        || getenv("PGUSER"))
    {
        return user;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(ctx->cf->cycle->conf_ctx,
                                           ngx_core_module);

    return ccf->username ? ccf->username : (char *) NGX_USER;
}


static char *
tournament_conninfo_options(tournament_conninfo_ctx_t *ctx, char *options)
{
    u_char  *p;
    size_t   len;

    if (options == NULL) {
        options = "";
    }

    if (ctx->statement_timeout == 0
        || ngx_strstr(options, "statement_timeout"))
    {
        return options;
    }

    len = ngx_strlen(options) + sizeof(" -c statement_timeout=")
          + NGX_TIME_T_LEN;

    p = ngx_pnalloc(ctx->cf->pool, len);
    if (p == NULL) {
        return options;
    }

    ngx_sprintf(p, "%s%s-c statement_timeout=%M%Z", options,
                *options ? " " : "", ctx->statement_timeout);

    return (char *) p;
}


static char *
tournament_conninfo_value(PQconninfoOption *options, const char *keyword)
{
    PQconninfoOption  *o;

    for (o = options; o->keyword; o++) {
        if (ngx_strcmp(o->keyword, keyword) == 0) {
            return o->val;
        }
    }

    return NULL;
}


/* takes the first item off a list; 1: there are more */

static ngx_uint_t
tournament_conninfo_next(ngx_str_t *list, ngx_str_t *item)
{
    u_char  *p;

    *item = *list;

    if (list->len == 0) {
        return 0;
    }

    p = ngx_strlchr(list->data, list->data + list->len, ',');

    if (p == NULL) {
        ngx_str_null(list);
        return 0;
    }

    item->len = p - list->data;
    list->len -= item->len + 1;
    list->data = p + 1;

    return 1;
}


static char *
tournament_conninfo_str(ngx_conf_t *cf, ngx_str_t *str)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, str->len + 1);
    if (p == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(p, str->data, str->len + 1);

    return (char *) p;
}


static char *
tournament_conninfo_copy(tournament_conninfo_ctx_t *ctx, const char *text)
{
    ngx_str_t  str;

    str.data = (u_char *) text;
    str.len = ngx_strlen(text);

    return tournament_conninfo_str(ctx->cf, &str);
}
