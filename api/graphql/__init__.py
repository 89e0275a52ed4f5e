from api.graphql import vocabulary as vocabulary  # before any type that has an enum of it
