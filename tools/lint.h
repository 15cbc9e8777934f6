
/*
 * Read before each source that clang's analyzer looks at (tools/lint).  It
 * does not see that what was taken out of an intrusive list or tree is not in
 * it any longer, and finds a use after free in every loop that empties one.
 * Here it knows nothing of who is in a list, and of what ngx_free() does:
 * that is for valgrind to find.
 */

#include <ngx_config.h>
#include <ngx_core.h>

ngx_queue_t *tournament_lint_member(ngx_queue_t *queue);
void tournament_lint_free(void *p);

#undef ngx_queue_head
#define ngx_queue_head(h)  tournament_lint_member(h)

#undef ngx_queue_last
#define ngx_queue_last(h)  tournament_lint_member(h)

#undef ngx_free
#define ngx_free           tournament_lint_free
