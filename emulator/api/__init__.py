"""The platform's wire contract on FastAPI, one resource a file, and the emulator's own control API."""
