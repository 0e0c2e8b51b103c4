# Sourced by demo.sh and test.sh: installs the packages that the project needs, where they are missing, by the names that
# Debian 12 and later and Ubuntu 24.04 and later give them. `require build` for building, `require check` for the checks,
# `require fuzz` for the fuzz targets (beside clang), `require bundle` for the portable archive, `require report_test` for
# the report's page in a browser (Ubuntu's chromium is a snap, so there it may not be had: the test then says that it is
# skipped).

build_packages="g++ cmake ninja-build pkg-config libdnnl-dev libcli11-dev nlohmann-json3-dev libfmt-dev zlib1g-dev
  libssl-dev libstb-dev doctest-dev libbenchmark-dev libboost-context-dev libcairo2-dev fonts-dejavu-core libsqlite3-dev libcurl4-openssl-dev
  ca-certificates"
test_packages="python3 python3-jsonschema openssl"
report_test_packages="chromium chromium-driver python3-selenium"
bundle_packages="patchelf binutils xz-utils"
check_packages="clang libclang-rt-dev clang-tidy clang-format python3-venv python3-pip git"
fuzz_packages="python3 llvm libomp-dev afl++"

require() {
  missing=""
  for kind in "$@"; do
    list="${kind}_packages"
    for package in ${!list}; do
      dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
    done
  done
  [ -z "$missing" ] && return 0
  echo "installing:$missing"
  run=""
  [ "$(id -u)" = 0 ] || run="sudo"
  $run apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
