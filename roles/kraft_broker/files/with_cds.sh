# Run a JVM with the archive of loaded classes (CDS) that was made for it; without one it starts as it always does:
#   with_cds.sh NAME JAVA ARGUMENTS...
# With JAVA alone it prints the directory for archives that fit; make_cds.py fills it.
#
# The directory's name says what an archive depends on: release, Java with its own archive, page size. A JVM that is
# given a file that is not there or not of its kind leaves out even its own archive, and one that was cut short ends it
# by SIGBUS (JDK 17, measured): so the file's name ends with its size. One that is damaged may crash it, too: after
# failures in a row restart_guard.py leaves a mark, and the broker is given none.
set -eu

directory() {
  release=$(readlink -f /opt/kafka/current)
  home=$(readlink -f "$1")
  home=${home%/bin/java}
  files=$(cd "$home/lib/server" && stat --printf=_%s-%Y libjvm.so classes.jsa)
  echo "/opt/kafka/cds/${release##*/}_${home##*/}${files}_$(getconf PAGESIZE)"
}

if [ $# = 1 ]; then
  directory "$1"
  exit
fi
name=$1 java=$2
shift 2
for archive in "$(directory "$java" 2>&1)/$name.jsa."*; do
  if [ "$name" = broker ] && [ -e /run/kafka/without-cds ]; then
    break
  fi
  if [ "$(stat --format=%s "$archive" 2>&1)" = "${archive##*.}" ]; then
    set -- "-XX:SharedArchiveFile=$archive" -Xlog:cds=off -Xlog:cds+dynamic=off "$@"
  fi
done
exec "$java" "$@"
