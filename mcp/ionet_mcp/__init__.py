"""An MCP server by which an AI agent rents compute, within limits that a person has set."""
