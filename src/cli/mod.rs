//! The command line, the configuration file and the settings they amount to. Never touches the network.
