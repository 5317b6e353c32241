"""Each account's messages: the page 消息."""
