"""How the checker speaks to servers: with wirehop's own client, or with clients in processes of their own."""
