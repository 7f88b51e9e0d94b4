# One folder is one target. Dependencies are declared here once and checked against the includes by tools/check_style.py.

add_library(hartline_options INTERFACE)
target_include_directories(hartline_options INTERFACE ${CMAKE_SOURCE_DIR}/engine)
target_include_directories(hartline_options SYSTEM INTERFACE ${RANDOM123_INCLUDE})
# GCC 12 warns falsely in its own string and in fmt (stringop-overflow, restrict).
# Clang's -Wconversion includes signs, GCC's does not.
# Contraction is off so that a result does not depend on which expressions the compiler fused; kernels ask for fma by name.
target_compile_options(hartline_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -Wno-psabi $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion> -ffp-contract=off)
if(HARTLINE_SANITIZE)
  target_compile_options(hartline_options INTERFACE -fsanitize=${HARTLINE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hartline_options INTERFACE -fsanitize=${HARTLINE_SANITIZE})
  target_compile_definitions(hartline_options INTERFACE HARTLINE_SANITIZED)
  # dlopen is called from the sanitizer's library then, which the program's RUNPATH does not hold for; its RPATH does
  target_link_options(hartline_options INTERFACE LINKER:--disable-new-dtags)
endif()

if(HARTLINE_TESTS)
  find_package(GTest 1.12 REQUIRED)
  include(GoogleTest)
  enable_testing()
endif()

# hartline_test(name SOURCES … LINK … [LABELS …]): one test program, each case a CTest test.
function(hartline_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hartline_options ${ARG_LINK} GTest::gtest_main)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# hartline_module(name SOURCES … LINK PUBLIC … PRIVATE … TESTS …)
function(hartline_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;TESTS" ${ARGN})
  add_library(hartline_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(hartline_${name} PUBLIC hartline_options ${ARG_LINK})
  if(HARTLINE_TESTS AND ARG_TESTS)
    hartline_test(${name}_test SOURCES ${ARG_TESTS} LINK hartline_${name} LABELS unit)
  endif()
endfunction()
