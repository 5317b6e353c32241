"""A desk played in process: real services, the partners' rules without HTTP, time as an argument."""
