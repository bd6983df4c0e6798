/* SPDX-License-Identifier: MIT */
#include "runner/host/archive_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

bool archive_lib_find(const struct archive_lib *lib, const char *name, void *ret)
{
	void *sym = dlsym(lib->handle, name);

	/* ISO C has no cast from an object pointer to a function; POSIX wants it to work. */
	memcpy(ret, &sym, sizeof(sym));
	return sym != NULL;
}

const struct archive_lib *archive_lib_load(struct err *e)
{
	static struct archive_lib lib;
	struct archive_lib l = { 0 };
	bool ok = true;

	if (lib.handle)
		return &lib;
	l.handle = dlopen(ARCHIVE_LIB_NAME, RTLD_NOW | RTLD_LOCAL);
	if (!l.handle) {
		err_msg(e, ELIBACC, "cannot load %s: %s; install libarchive", ARCHIVE_LIB_NAME,
			dlerror());
		return NULL;
	}
#define FIND(f) ok = ok && archive_lib_find(&l, #f, &l.f);
	ARCHIVE_LIB_FUNCTIONS(FIND)
#undef FIND
	if (!ok) {
		dlclose(l.handle);
		err_msg(e, ELIBACC, "%s lacks functions; install libarchive 3.4 or newer",
			ARCHIVE_LIB_NAME);
		return NULL;
	}
	lib = l;
	return &lib;
}
