// Weight files are mapped, so one that becomes shorter, or whose disk fails, while it is read ends in SIGBUS instead of
// an error. Uses POSIX signals and /proc/self/maps.
#pragma once

namespace blindspot::tools {

/// From now on SIGBUS in a mapped file ends the process with exit code 3 and one line that names the file. Nothing is
/// tidied up: what is named .partial or .part stays, as after a kill.
void end_by_lost_files();

}  // namespace blindspot::tools
