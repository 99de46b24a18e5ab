"""Features that are not learned."""
