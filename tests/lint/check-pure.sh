#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# base, model, config and plan are pure: no system calls, no clock, no files, no environment.
# Proven twice: the symbols that their objects leave undefined are all on the list below, and
# the whole library links against libyaml and libcrypto alone.
. "$(dirname "$0")/lib.sh"
builddir=${abs_top_builddir:?set by make check}
CC=${CC:-cc} NM=${NM:-nm}

# Functions of the C library that compute and do nothing else. What is missing here and is as
# innocent may be added; what can reach outside the process may not.
allowed='
	abort abs atoi bcmp bsearch calloc div free labs ldiv llabs malloc qsort qsort_r realloc
	reallocarray
	memchr memcmp memcpy memmem memmove mempcpy memrchr memset rawmemchr
	stpcpy stpncpy strcasecmp strcat strchr strchrnul strcmp strcpy strcspn strdup strlen
	strncasecmp strncat strncmp strncpy strndup strnlen strpbrk strrchr strsep strspn strstr
	strtok_r strverscmp strerrordesc_np strerrorname_np
	asprintf snprintf sprintf sscanf vasprintf vsnprintf vsprintf
	strtod strtol strtold strtoll strtoul strtoull strtoimax strtoumax
	isalnum isalpha isdigit islower isprint ispunct isspace isupper isxdigit tolower toupper
	__ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc
	__errno_location __assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_ __tls_get_addr
	inet_ntop inet_pton ether_aton_r
	floor ceil round trunc log2 fmod
'
# The same for one object only: LAYER/PATTERN-OF-OBJECT=SYMBOL
allowed_in='
	base/log.o=write base/log.o=program_invocation_short_name
'

# Prints the symbols that the objects below DIR/{base,model,config,plan} need from elsewhere.
check_symbols() { # DIR
	# shellcheck disable=SC2016 # a program of awk
	(cd "$1" && find base model config plan -name '*.o' 2>/dev/null | sort | tr '\n' '\0' |
		xargs -0 -r "$NM" -P -A) | awk -v allowed="$allowed" -v allowed_in="$allowed_in" '
		BEGIN {
			split(allowed, words)
			for (i in words)
				pure[words[i]] = 1
			split(allowed_in, words)
			for (i in words)
				pure_in[words[i]] = 1
		}
		{
			object = $1
			sub(/:$/, "", object)
			objects++
			if ($3 != "U" && $3 != "w" && $3 != "v")
				defined[$2] = 1
			else
				needed[++count] = object " " $2
		}
		END {
			if (!objects)
				print "no object files"
			for (i = 1; i <= count; i++) {
				split(needed[i], part, " ")
				object = part[1]
				name = part[2]
				if (name in defined)
					continue
				# Fortified and standard-specific variants, for example __snprintf_chk.
				sub(/@.*/, "", name)
				if (name ~ /^__.*_chk$/)
					name = substr(name, 3, length(name) - 6)
				sub(/^__isoc[0-9]+_/, "", name)
				layer = object
				sub(/\/.*/, "", layer)
				short = object
				sub(/\/[^\/]*-/, "/", short)
				if (name in pure || (short "=" name) in pure_in)
					continue
				if (name ~ /^yaml_/ && layer == "config" && name !~ /_set_(in|out)put_file$/)
					continue
				if (name ~ /^EVP_/ && layer == "base")
					continue
				if (name ~ /^__(asan|ubsan|sanitizer|sancov|gcov|llvm)_/)
					continue
				print object ": " part[2] " is not on the list of pure functions"
			}
		}'
}

# Links all of an archive with the two libraries that it may use.
check_link() { # ARCHIVE
	# shellcheck disable=SC2086 # lists of flags
	echo 'int main(void) { return 0; }' |
		$CC ${TEST_LDFLAGS:-} -x c - -x none -Wl,--whole-archive "$1" -Wl,--no-whole-archive \
			-o "$lint_dir/linked" ${TEST_PURE_LIBS:-} 2>&1
}

expect_clean "objects of the pure layers use pure functions only" check_symbols "$builddir/src"
expect_clean "libpure.a links with libyaml and libcrypto alone" check_link "$builddir/libpure.a"

compiled() { # FILE; C on stdin; prints the directory
	local object=$lint_dir/${1//[^a-z]/-}/$1
	mkdir -p "${object%/*}"
	$CC -w -O1 -D_GNU_SOURCE -x c - -c -o "$object" || echo "planted $1 does not compile" >&2
	printf '%s\n' "$lint_dir/${1//[^a-z]/-}"
}
while read -r name header call; do
	dir=$(printf '#include <%s>\nvoid planted(void);\nvoid planted(void) { (void)!%s; }\n' "$header" \
		"$call" | compiled "plan/$name.o")
	expect_finding "$name() in plan is found" "plan/$name.o: $name" check_symbols "$dir"
done <<'END'
getenv stdlib.h getenv("HOME")
open fcntl.h open("x",O_RDONLY)
fopen stdio.h fopen("x","r")
read unistd.h read(0,(void*)0,0)
stat sys/stat.h stat("x",(struct stat*)0)
socket sys/socket.h socket(1,1,0)
ioctl sys/ioctl.h ioctl(0,0)
time time.h time((time_t*)0)
clock_gettime time.h clock_gettime(CLOCK_REALTIME,(struct timespec*)0)
system stdlib.h system("true")
fork unistd.h fork()
syscall unistd.h syscall(0)
write unistd.h write(2,"x",1)
random stdlib.h random()
END
dir=$(compiled base/log.o <<<'#include <unistd.h>
void planted(void); void planted(void) { (void)!write(2, "x", 1); }')
expect_clean "base/log may write to stderr" check_symbols "$dir"
dir=$(compiled plan/yaml.o <<<'int yaml_parser_initialize(void *);
void planted(void); void planted(void) { (void)yaml_parser_initialize(0); }')
expect_finding "libyaml in plan is found" 'plan/yaml.o: yaml_parser_initialize' check_symbols "$dir"
dir=$(compiled config/file.o <<<'void yaml_parser_set_input_file(void *, void *);
void planted(void); void planted(void) { yaml_parser_set_input_file(0, 0); }')
expect_finding "reading files by libyaml is found" 'config/file.o: yaml_parser_set_input_file' \
	check_symbols "$dir"
(cd "$dir/config" && ar cr "$dir/planted.a" file.o)
TEST_PURE_LIBS='' expect_finding "a library that needs more does not link" 'undefined reference' \
	check_link "$dir/planted.a"
lint_end
