
/*
 * Lists of slugs: what is one, what its slugs are, and that nothing is read or
 * written outside of it, whatever the bytes are.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

#include "rules/slugs.h"
#include "rules/text.h"


typedef tournament_slugs_rc_e (*reader_pt)(unsigned char *s, size_t len,
    tournament_slug_t *slugs, size_t *n);


typedef struct {
    const char             *list;
    tournament_slugs_rc_e   rc;
    const char             *slugs;     /* with a blank behind each */
} case_t;


static tournament_slug_t  slugs[TOURNAMENT_SLUGS_MAX];
static size_t             nslugs;


/* of a copy of exact size, so that reading on is seen; it is the caller's */

static tournament_slugs_rc_e
read_list(reader_pt reader, const char *s, size_t len, unsigned char **copy)
{
    *copy = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(*copy);
    memcpy(*copy, s, len);

    return reader(*copy, len, slugs, &nslugs);
}


static void
check_cases(reader_pt reader, const case_t *cases, size_t n)
{
    char                    text[2048], *p;
    size_t                  i, k;
    unsigned char          *copy;
    tournament_slugs_rc_e   rc;

    for (i = 0; i < n; i++) {
        rc = read_list(reader, cases[i].list, strlen(cases[i].list), &copy);

        ck_assert_msg(rc == cases[i].rc, "%s: %d", cases[i].list, rc);

        p = text;

        for (k = 0; k < nslugs; k++) {
            p += sprintf(p, "%.*s ", (int) slugs[k].len, slugs[k].data);
        }

        *p = '\0';

        if (rc == TOURNAMENT_SLUGS_OK) {
            ck_assert_str_eq(text, cases[i].slugs);
        }

        free(copy);
    }
}


START_TEST(test_query)
{
    static const case_t  cases[] = {
        { "",         TOURNAMENT_SLUGS_OK, "" },
        { "a",        TOURNAMENT_SLUGS_OK, "a " },
        { "a,B-_9,a", TOURNAMENT_SLUGS_OK, "a B-_9 a " },
        { ",",        TOURNAMENT_SLUGS_MALFORMED, "" },
        { "a,",       TOURNAMENT_SLUGS_MALFORMED, "" },
        { ",a",       TOURNAMENT_SLUGS_MALFORMED, "" },
        { "a,,b",     TOURNAMENT_SLUGS_MALFORMED, "" },
        { "a.b",      TOURNAMENT_SLUGS_MALFORMED, "" },
        { "a,b c",    TOURNAMENT_SLUGS_MALFORMED, "" }
    };

    check_cases(tournament_slugs_query, cases,
                sizeof(cases) / sizeof(cases[0]));
}
END_TEST


START_TEST(test_json)
{
    static const case_t  cases[] = {
        { "[]",                 TOURNAMENT_SLUGS_OK, "" },
        { " [ ] \r\n",          TOURNAMENT_SLUGS_OK, "" },
        { "[\"a\"]",            TOURNAMENT_SLUGS_OK, "a " },
        { "\t[\"a\" ,\"b\"\n]", TOURNAMENT_SLUGS_OK, "a b " },
        { "[\"\\u0061-\\u005Fz\",\"\\u005f\"]",
                                TOURNAMENT_SLUGS_OK, "a-_z _ " },
        { "[\"\"]",             TOURNAMENT_SLUGS_MALFORMED, "" },
        { "[\"a b\"]",          TOURNAMENT_SLUGS_MALFORMED, "" },
        { "[\"a\\u0000\"]",     TOURNAMENT_SLUGS_MALFORMED, "" },
        { "[\"\\ud83c\\udfc6\"]", TOURNAMENT_SLUGS_MALFORMED, "" },
        { "[\"\\\"\\/\\b\\f\\n\\r\\t\\\\\"]",
                                TOURNAMENT_SLUGS_MALFORMED, "" },
        { "[\"\xf0\x9f\x8f\x86\"]", TOURNAMENT_SLUGS_MALFORMED, "" },
        { "",                   TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "\"a\"",              TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[",                  TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\"",             TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a",               TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\\",             TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\\u00",          TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"\\u00g0\"]",      TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"\\x61\"]",        TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\",]",           TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[,]",                TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\" \"b\"]",      TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\"}",            TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\"]x",           TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[[\"a\"]]",          TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[1]",                TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"a\n\"]",          TOURNAMENT_SLUGS_NO_ARRAY, "" },
        { "[\"\xd2\xca\"]",     TOURNAMENT_SLUGS_NO_ARRAY, "" }
    };

    check_cases(tournament_slugs_json, cases,
                sizeof(cases) / sizeof(cases[0]));
}
END_TEST


START_TEST(test_many)
{
    char            list[2 * TOURNAMENT_SLUGS_MAX + 2];
    size_t          i;
    unsigned char  *copy;

    for (i = 0; i < sizeof(list); i++) {
        list[i] = (i % 2) ? ',' : 'a';
    }

    ck_assert_int_eq(read_list(tournament_slugs_query, list,
                               2 * TOURNAMENT_SLUGS_MAX - 1, &copy),
                     TOURNAMENT_SLUGS_OK);
    ck_assert_uint_eq(nslugs, TOURNAMENT_SLUGS_MAX);
    free(copy);

    ck_assert_int_eq(read_list(tournament_slugs_query, list,
                               2 * TOURNAMENT_SLUGS_MAX + 1, &copy),
                     TOURNAMENT_SLUGS_TOO_MANY);
    free(copy);
}
END_TEST


/* bytes of a list's kind in any order: slugs lie in it, and are slugs */

START_TEST(test_any)
{
    char                    list[24];
    size_t                  i, k, len;
    uint32_t                x;
    unsigned char          *copy;
    tournament_slugs_rc_e   rc;

    static const char  kind[] =
        "[[]]\"\"\"\"\"\"\",,,aab\\\\u00061n \xc3\xa9\n";

    x = 1;

    for (i = 0; i < 300000; i++) {

        len = i % sizeof(list);

        for (k = 0; k < len; k++) {
            x = x * 1664525 + 1013904223;
            list[k] = kind[(x >> 16) % (sizeof(kind) - 1)];
        }

        if (i % 3) {
            list[0] = '[';
        }

        rc = read_list(tournament_slugs_json, list, len, &copy);

        for (k = 0; k < nslugs; k++) {
            if (!tournament_text_slug_valid(slugs[k].data, slugs[k].len)
                || slugs[k].data < copy
                || slugs[k].data + slugs[k].len > copy + len)
            {
                ck_abort_msg("%.*s: slug %zu (%d)", (int) len, list, k, rc);
            }
        }

        free(copy);
    }
}
END_TEST


int
main(void)
{
    TCase  *tc;
    Suite  *suite;

    suite = suite_create("slugs");

    tc = suite_case(suite, "lists");
    tcase_add_test(tc, test_query);
    tcase_add_test(tc, test_json);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_any);

    return suite_run(suite);
}
