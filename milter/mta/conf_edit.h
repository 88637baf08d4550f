/* mta/conf_edit.h: sets one key in the text of milter-moved.conf; all else stays as it was written. */
#ifndef MTA_CONF_EDIT_H
#define MTA_CONF_EDIT_H

/* The text with the top-level key set to the string value, on the heap: in the key's own line where it is
 * there, else in a new one at the end. NULL where memory is out. */
char *conf_edit_set(const char *text, const char *key, const char *value);

#endif
