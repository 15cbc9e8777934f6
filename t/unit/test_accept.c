
/* The header Accept: which of two types is rather had, as RFC 9110 has it. */

#include <stdlib.h>
#include <string.h>

#include "suite.h"

#include "rules/accept.h"


/* of a copy of exact size, so that reading on is seen */

static unsigned
quality(const char *value, const char *type)
{
    size_t                len;
    unsigned char        *copy;
    tournament_accept_t   accept;

    len = strlen(value);
    copy = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, value, len);

    memset(&accept, 0, sizeof(accept));
    tournament_accept_read(&accept, type, copy, len);
    free(copy);

    return accept.quality;
}


START_TEST(test_quality)
{
    size_t  i;

    static const struct {
        const char  *value;
        unsigned     quality;     /* of text/html */
    } cases[] = {
        { "", 0 }, { "text/plain", 0 }, { "text/htmlx", 0 }, { "text", 0 },
        { "text/html", 1000 }, { "TEXT/Html", 1000 }, { " text/html ", 1000 },
        { "a/b,text/html", 1000 }, { "text/html;level=1", 1000 },
        { "text/html;q=0.5", 500 }, { "text/html ; Q=0.25", 250 },
        { "text/html;q=0", 0 }, { "text/html;q=1.000", 1000 },
        { "text/html;q=0.001;x=y", 1 }, { "text/html;q=1.5", 0 },
        { "text/html;q=", 0 }, { "text/html;q", 1000 },
        { "text/html;q=0.1234", 0 }, { "text/html;q=x", 0 },
        { "text/html;x=\"q=0\";q=0.3", 300 },
        { "text/*;q=0.4", 400 }, { "*/*;q=0.2", 200 }, { "image/*", 0 },
        { "*/*;q=0.9,text/*;q=0.4,text/html;q=0.3", 300 },
        { "text/html;q=0,*/*", 0 }, { "text/html;q=0.3,text/*", 300 },
        { ",,;,text/html;", 1000 }, { ";q=1", 0 }, { "*", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(quality(cases[i].value, "text/html")
                      == cases[i].quality, "%s: %u", cases[i].value,
                      quality(cases[i].value, "text/html"));
    }
}
END_TEST


/* several headers of the name are one list */

START_TEST(test_several)
{
    tournament_accept_t  accept;

    memset(&accept, 0, sizeof(accept));

    tournament_accept_read(&accept, "text/html",
                           (unsigned char *) "*/*;q=0.5", 9);
    tournament_accept_read(&accept, "text/html",
                           (unsigned char *) "text/html;q=0.7", 15);
    tournament_accept_read(&accept, "text/html",
                           (unsigned char *) "text/*;q=0.1", 12);

    ck_assert_uint_eq(accept.quality, 700);
}
END_TEST


int
main(void)
{
    TCase  *tc;
    Suite  *suite;

    suite = suite_create("accept");

    tc = suite_case(suite, "ranges");
    tcase_add_test(tc, test_quality);
    tcase_add_test(tc, test_several);

    return suite_run(suite);
}
