# Writes build_info.cpp with the commit of the source tree. Runs at every build, but touches the file
# only when something changed, so that only this one small file is compiled again.
#   cmake -DSOURCE=... -DOUTPUT=... -DVERSION=... -DCOMPILER=... -DKIND=... -DLIBRARIES=... -P ...
find_program(GIT git)
set(COMMIT unknown)
if(GIT)
  set(git ${GIT} -c safe.directory=* -C ${SOURCE})
  execute_process(COMMAND ${git} rev-parse --short=12 HEAD OUTPUT_VARIABLE head ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(NOT failed)
    execute_process(COMMAND ${git} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes
                    ERROR_QUIET)
    set(COMMIT ${head})
    if(changes)
      string(APPEND COMMIT "+changes")
    endif()
  endif()
endif()
configure_file(${SOURCE}/cmake/build_info.cpp.in ${OUTPUT} @ONLY)
