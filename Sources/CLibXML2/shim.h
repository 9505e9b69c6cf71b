// Debian's libxml2 is built with ICU, whose headers it then includes. Foundation carries an ICU of its own, and one
// program cannot see both. Nothing here converts character sets, so libxml2's part of ICU is left out of sight.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
