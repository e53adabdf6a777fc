# Headers, library, CMake package and pkg-config file; all of them can be moved as one tree.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

install(DIRECTORY include/sigpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(
  TARGETS sigpp
  EXPORT sigppTargets
  INCLUDES
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sigpp)
install(
  EXPORT sigppTargets
  NAMESPACE sigpp::
  DESTINATION ${package_dir})
configure_package_config_file(cmake/sigppConfig.cmake.in sigppConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break.
write_basic_package_version_file(sigppConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sigppConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/sigppConfigVersion.cmake DESTINATION ${package_dir})

# pkg-config knows where the file is; the rest is relative to it.
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE sigpp_pc_dir)
cmake_path(APPEND sigpp_pc_dir pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${sigpp_pc_dir}
           OUTPUT_VARIABLE sigpp_pc_prefix)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}"
           OUTPUT_VARIABLE sigpp_pc_includedir)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}"
           OUTPUT_VARIABLE sigpp_pc_libdir)
configure_file(cmake/sigpp.pc.in sigpp.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sigpp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
