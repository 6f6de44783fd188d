# `cmake --install BUILD --prefix PREFIX` puts everything that the program needs under PREFIX, libtorch too, so that it
# runs for every user after the caches of who built it are gone. tools/install calls it, and takes away what it put.
# Whatever the umask of who installs, others may read it.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set_target_properties(memlayers PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/memlayers")
set_target_properties(memlayers_ops PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS memlayers RUNTIME DESTINATION bin)
install(TARGETS memlayers_ops LIBRARY DESTINATION lib/memlayers)

# What the loader finds for the program just built, without what every system has. Libraries of libtorch look beside
# themselves first.
install(CODE "set(program \"$<TARGET_FILE:memlayers>\")")
install(CODE [[
  execute_process(COMMAND ldd ${program} OUTPUT_VARIABLE loaded COMMAND_ERROR_IS_FATAL ANY)
  if(loaded MATCHES "([^ \t\n]+) => not found")
    message(FATAL_ERROR "${program} needs ${CMAKE_MATCH_1}, which is not there; build it again")
  endif()
  string(REGEX MATCHALL "=> /[^\n]+ [(]" libraries "${loaded}")
  foreach(library ${libraries})
    string(REGEX REPLACE "^=> (.*) [(]$" "\\1" library "${library}")
    if(NOT library MATCHES "/lib(c|m|dl|rt|util|pthread|stdc[+][+]|gcc_s|memlayers_ops)[.]so")
      file(INSTALL ${library} DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/memlayers TYPE SHARED_LIBRARY
           FOLLOW_SYMLINK_CHAIN)
    endif()
  endforeach()]])

install(DIRECTORY configs experiments DESTINATION share/memlayers)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION share/doc/memlayers)
install(DIRECTORY docs DESTINATION share/doc/memlayers FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
install(FILES tools/completion.bash DESTINATION share/bash-completion/completions RENAME memlayers)
install(FILES tools/completion.zsh DESTINATION share/zsh/site-functions RENAME _memlayers)
install(FILES tools/completion.fish DESTINATION share/fish/vendor_completions.d RENAME memlayers.fish)

# The list by which tools/install --uninstall knows what is ours.
install(CODE [[
  set(list share/memlayers/installed_files)
  set(text "")
  foreach(path ${CMAKE_INSTALL_MANIFEST_FILES})
    file(RELATIVE_PATH path ${CMAKE_INSTALL_PREFIX} ${path})
    string(APPEND text "${path}\n")
  endforeach()
  file(WRITE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${list}" "${text}${list}\n")]])
