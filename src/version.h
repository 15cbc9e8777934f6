
/*
 * The version, in its one place.  CHANGELOG.md's first heading is the same.
 */

#ifndef TOURNAMENT_VERSION_H
#define TOURNAMENT_VERSION_H


#define TOURNAMENT_VERSION  "1.0.0"


#endif /* TOURNAMENT_VERSION_H */
