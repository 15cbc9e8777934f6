
/*
 * What every suite's main() does: cases with time enough for a busy machine,
 * a run, and its status.
 */

#ifndef SUITE_H
#define SUITE_H


#include <stdlib.h>

#include <check.h>


static TCase *
suite_case(Suite *suite, const char *name)
{
    TCase  *tc;

    tc = tcase_create(name);

    tcase_set_timeout(tc, 300);
    suite_add_tcase(suite, tc);

    return tc;
}


static int
suite_run(Suite *suite)
{
    int       failed;
    SRunner  *runner;

    runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    failed = srunner_ntests_failed(runner);
    srunner_free(runner);

    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}


#endif /* SUITE_H */
