#include <sqlite3.h>
// glibc's settings of the allocator that SQLite uses; Swift's Glibc module leaves the header out.
#include <malloc.h>
