# posebridge_nanopb: headers of nanopb and of the code that it generates from the project's .proto files at build time.
# POSEBRIDGE_NANOPB_OBJECTS: nanopb's own code, taken out of its library; empty where that is linked.
add_library(posebridge_nanopb INTERFACE)
find_program(POSEBRIDGE_NANOPB_GENERATOR NAMES nanopb_generator nanopb_generator.py REQUIRED)
find_path(POSEBRIDGE_NANOPB_INCLUDE NAMES pb_decode.h PATH_SUFFIXES nanopb PATHS /usr/include NO_CMAKE_FIND_ROOT_PATH REQUIRED)

set(protos pose anomaly forecast envelope)
set(generated_dir "${CMAKE_CURRENT_BINARY_DIR}/generated")
set(generated "")
foreach(proto ${protos})
  set(out "${generated_dir}/posebridge/v1/${proto}.pb.h")
  add_custom_command(
    OUTPUT "${out}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${generated_dir}"
    COMMAND ${POSEBRIDGE_NANOPB_GENERATOR} -q -I "${POSEBRIDGE_PROTO_DIR}" -D "${generated_dir}" "posebridge/v1/${proto}.proto"
    DEPENDS "${POSEBRIDGE_PROTO_DIR}/posebridge/v1/${proto}.proto"
    WORKING_DIRECTORY "${POSEBRIDGE_PROTO_DIR}"
    COMMENT "nanopb: ${proto}.proto"
    VERBATIM
  )
  list(APPEND generated "${out}")
endforeach()
add_custom_target(posebridge_generated DEPENDS ${generated})
add_dependencies(posebridge_nanopb posebridge_generated)

# Only nanopb's headers, whatever else lies in that folder (another system's, when cross-compiling).
set(headers_dir "${CMAKE_CURRENT_BINARY_DIR}/nanopb")
file(MAKE_DIRECTORY "${headers_dir}")
foreach(header pb.h pb_common.h pb_decode.h pb_encode.h)
  file(COPY_FILE "${POSEBRIDGE_NANOPB_INCLUDE}/${header}" "${headers_dir}/${header}" ONLY_IF_DIFFERENT)
endforeach()
target_include_directories(posebridge_nanopb SYSTEM INTERFACE "${headers_dir}" "${generated_dir}")

if(POSEBRIDGE_OBJECTS_ONLY)
  return()
endif()
if(MSVC OR APPLE)
  set(nanopb_is_linked ON)
else()
  set(nanopb_is_linked OFF)
endif()
option(POSEBRIDGE_LINK_NANOPB "Link nanopb's own CMake package (vcpkg's) instead of taking its objects into the library" ${nanopb_is_linked})
if(POSEBRIDGE_LINK_NANOPB)
  find_package(nanopb CONFIG REQUIRED)
  if(TARGET nanopb::protobuf-nanopb-static)
    target_link_libraries(posebridge_zmq INTERFACE nanopb::protobuf-nanopb-static)
  else()
    target_link_libraries(posebridge_zmq INTERFACE nanopb::protobuf-nanopb)
  endif()
  set(POSEBRIDGE_NANOPB_OBJECTS "")
  return()
endif()
find_library(POSEBRIDGE_NANOPB_LIBRARY NAMES protobuf-nanopb REQUIRED)
# The members of nanopb's library, so that ours is whole by itself.
set(members_dir "${CMAKE_CURRENT_BINARY_DIR}/nanopb_members")
file(MAKE_DIRECTORY "${members_dir}")
add_library(posebridge_nanopb_objects OBJECT IMPORTED GLOBAL)
execute_process(COMMAND ${CMAKE_AR} x "${POSEBRIDGE_NANOPB_LIBRARY}" WORKING_DIRECTORY "${members_dir}" COMMAND_ERROR_IS_FATAL ANY)
file(GLOB members "${members_dir}/*.o" "${members_dir}/*.obj")
set_target_properties(posebridge_nanopb_objects PROPERTIES IMPORTED_OBJECTS "${members}")
set(POSEBRIDGE_NANOPB_OBJECTS "$<TARGET_OBJECTS:posebridge_nanopb_objects>")
