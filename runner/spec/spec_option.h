/* SPDX-License-Identifier: MIT */
/* The option table, shared by the parser and --help; not for use outside spec/. */
#ifndef VMRUN_SPEC_SPEC_OPTION_H
#define VMRUN_SPEC_SPEC_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

/* What the field at .offset is, and so which member of the union counts. */
enum option_type {
	OPTION_FLAG,   /* bool: becomes true */
	OPTION_ENUM,   /* enum: becomes .value */
	OPTION_CHOICE, /* enum: becomes the value of one of .choices */
	/* As that; the value can only follow a "=", and without one it is the first. */
	OPTION_OPTIONAL_CHOICE,
	OPTION_NUMBER,	 /* unsigned int within .range */
	OPTION_SIZE,	 /* uint64_t bytes */
	OPTION_DURATION, /* uint64_t milliseconds */
	OPTION_TEXT,	 /* char *, owned: a copy of what .check accepts */
	OPTION_PARSE,	 /* whatever .parse makes of it; no offset */
};

enum option_section {
	SECTION_ROOT,
	SECTION_COMMAND,
	SECTION_MACHINE,
	SECTION_NETWORK,
	SECTION_GENERAL,
	SECTION_COUNT
};

/* Two different options of one group exclude each other. */
enum option_group { GROUP_NONE, GROUP_ROOT_MODE, GROUP_TTY, GROUP_VERBOSITY, GROUP_COUNT };

struct option_choice {
	const char *word; /* NULL ends the list */
	unsigned int value;
};

struct spec_option {
	const char *name; /* without "--" */
	char letter;	  /* or 0 */
	enum option_type type;
	enum option_section section;
	enum option_group group;
	enum spec_field set; /* bit in vm_spec.set, or 0 */
	size_t offset;	     /* in struct vm_spec */
	union {
		unsigned int value;
		const struct option_choice *choices;
		struct {
			unsigned int min;
			unsigned int max;
		} range;
		int (*check)(const char *value, struct err *e);
		int (*parse)(struct vm_spec *spec, const char *value, struct err *e);
	};
	const char *metavar; /* NULL: of a choice, its words; else the option takes no value */
	const char *help;
};

extern const struct spec_option spec_options[];
extern const unsigned int spec_n_options;

/** spec_option_takes_value() - whether a word must follow the option. */
static inline bool spec_option_takes_value(const struct spec_option *o)
{
	return o->type != OPTION_FLAG && o->type != OPTION_ENUM &&
	       o->type != OPTION_OPTIONAL_CHOICE;
}

#endif
