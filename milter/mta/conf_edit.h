/* mta/conf_edit.h: sets one key in the text of milter-moved.conf and leaves the rest as it is. */
#ifndef MTA_CONF_EDIT_H
#define MTA_CONF_EDIT_H

/* The text with the top-level key set to the string value, on the heap; NULL if memory is out. A key that is
 * not there is added at the end. */
char *conf_edit_set(const char *text, const char *key, const char *value);

#endif
