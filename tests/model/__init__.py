"""A desk played in one process: real services, the partners' rules without HTTP, time as an argument."""
