# The targets that programs written for azure-iot-sdk-c link with, each of them this library:
#
#	target_link_libraries(program iothub_client iothub_client_mqtt_transport prov_device_client)
function(holdfast_sdk_targets library)
  foreach(name aziotsharedutil umqtt uamqp
      iothub_client iothub_client_mqtt_transport iothub_client_mqtt_ws_transport iothub_client_amqp_transport
      iothub_client_amqp_ws_transport iothub_client_http_transport
      prov_auth_client hsm_security_client prov_device_client prov_device_ll_client
      prov_mqtt_transport prov_mqtt_ws_transport prov_amqp_transport prov_amqp_ws_transport prov_http_transport)
    if(NOT TARGET ${name})
      add_library(${name} INTERFACE IMPORTED GLOBAL)
      set_property(TARGET ${name} PROPERTY INTERFACE_LINK_LIBRARIES ${library})
    endif()
  endforeach()
endfunction()
