
/*
 * The page that endpoint status shows in a browser: src/status.html, compiled
 * in by the rule in config.make.  It is complete in itself and reads the JSON
 * of the address that it came from.
 */

#ifndef _TOURNAMENT_PAGE_H_INCLUDED_
#define _TOURNAMENT_PAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


extern ngx_str_t  tournament_page;


#endif /* _TOURNAMENT_PAGE_H_INCLUDED_ */
